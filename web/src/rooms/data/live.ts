// What the server says of a device while it happens: GET /events, server-sent events.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { encodeQuery } from "../../api/client";
import type { Point } from "../../api/types";
import { doubt } from "../profile/access";
import { amountQuery, pointsKey } from "./queries";

/** A page is drawn anew at most so often, in milliseconds, however fast points come. */
const drawEvery = 400;

/** Points are kept so long, in milliseconds, after a reading that should hold them began to be sure that it does. */
const overlap = 5_000;

interface News {
  at: number;
  points: Point[];
}

export interface Live {
  /** Whether the server tells us; while it does not, the page has to ask. */
  on: boolean;
  /** What it told and a reading that ended at the given moment may not hold yet, the newest first. */
  since: (read: number) => Point[];
}

/** Listens to a device's data while the page is seen and `wanted`. A hidden page hangs up, because a browser opens only six
 *  connections to a server. */
export function useLive(profile: string, device: string, wanted: boolean): Live {
  const client = useQueryClient();
  const [on, setOn] = useState(false);
  const [news, setNews] = useState<News[]>([]);
  useEffect(() => {
    if (!wanted) return;
    const amount = amountQuery(profile, device).queryKey;
    const points = pointsKey(profile, device);
    let source: EventSource | undefined;
    let listening = false;
    let timer: number | undefined;
    let waiting: Point[] = [];

    const draw = (): void => {
      timer = undefined;
      if (waiting.length === 0) return;
      const at = Date.now();
      const came = waiting.toReversed();
      waiting = [];
      setNews((before) => [{ at, points: came }, ...before.filter((one) => at - one.at < 4 * overlap)]);
      void client.invalidateQueries({ queryKey: amount });
      timer = window.setTimeout(draw, drawEvery);
    };
    const readAgain = (): void => {
      void client.invalidateQueries({ queryKey: amount });
      void client.invalidateQueries({ queryKey: points });
    };
    const hangUp = (): void => {
      source?.close();
      source = undefined;
      setOn(false);
    };
    const call = (): void => {
      source = new EventSource(`/events${encodeQuery({ channels: `device_data.${device}`, profile })}`);
      source.addEventListener("open", () => {
        listening = true;
        setOn(true);
        readAgain(); // what came between the page's own reading and this moment
      });
      source.addEventListener("error", () => {
        // It calls again by itself, unless it was refused. The server ends it for who may not listen any more.
        if (listening || source?.readyState === EventSource.CLOSED) doubt(client);
        listening = false;
        setOn(false);
      });
      source.addEventListener("lost", readAgain);
      source.addEventListener("message", (event: MessageEvent<string>) => {
        waiting.push(...(JSON.parse(event.data) as { payload: Point[] }).payload);
        if (timer === undefined) draw();
      });
    };
    const look = (): void => {
      if (document.hidden) hangUp();
      else if (!source) call();
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      window.clearTimeout(timer);
      hangUp();
    };
  }, [client, profile, device, wanted]);
  return { on, since: (read) => news.filter((one) => one.at > read - overlap).flatMap((one) => one.points) };
}
