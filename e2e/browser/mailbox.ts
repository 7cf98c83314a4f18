// A mail server that keeps what it is given, so that people in tests can open their letters.
import type { Server } from "node:net";
import { SMTPServer } from "smtp-server";

export interface Mailbox {
  /** For --smtp-url. */
  url: string;
  /** Waits for a letter to somebody with a link to a page of the console, such as "confirm", and takes it out. */
  link: (to: string, page: string) => Promise<string>;
  /** Waits for a letter to somebody that holds these words, and takes it out. */
  letter: (to: string, words: string) => Promise<string>;
  stop: () => Promise<void>;
}

interface Letter {
  to: string;
  text: string;
}

export async function startMailbox(): Promise<Mailbox> {
  const letters: Letter[] = [];
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS", "AUTH"],
    onData(stream, session, done) {
      const parts: Buffer[] = [];
      stream.on("data", (part: Buffer) => parts.push(part));
      stream.on("end", () => {
        const text = unfold(Buffer.concat(parts).toString());
        for (const { address } of session.envelope.rcptTo) letters.push({ to: address, text });
        done();
      });
    },
  });
  await new Promise<void>((ready) => smtp.listen(0, "127.0.0.1", ready));
  const address = (smtp.server as Server).address();
  if (address === null || typeof address === "string") throw new Error("the mail server has no port");
  return {
    url: `smtp://127.0.0.1:${address.port}?starttls=off`,
    link: async (to, page) => {
      const wanted = new RegExp(`https?://\\S+/console/${page}(?:/[\\w-]+|\\?\\S+)`);
      for (const until = Date.now() + 20_000; Date.now() < until; await new Promise((next) => setTimeout(next, 100))) {
        const at = letters.findIndex((letter) => letter.to === to && wanted.test(letter.text));
        const letter = at < 0 ? undefined : letters.splice(at, 1)[0];
        const link = letter && wanted.exec(letter.text);
        if (link) return link[0];
      }
      throw new Error(`no letter to ${to} with a link to ${page}; there are ${JSON.stringify(letters)}`);
    },
    letter: async (to, words) => {
      for (const until = Date.now() + 20_000; Date.now() < until; await new Promise((next) => setTimeout(next, 100))) {
        const at = letters.findIndex((letter) => letter.to === to && letter.text.includes(words));
        const letter = at < 0 ? undefined : letters.splice(at, 1)[0];
        if (letter) return letter.text;
      }
      throw new Error(`no letter to ${to} that says ${words}`);
    },
    stop: () => new Promise((done) => smtp.close(done)),
  };
}

/** Undoes quoted-printable as far as links need it: soft line breaks and escaped bytes. */
function unfold(text: string): string {
  return text
    .replace(/=\r?\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
