// A mail server that keeps what it is given: as much of SMTP as it takes to get a letter, on node alone.
//
//   const mailbox = await open();
//   mailbox.flags                          for start(engine, { flags })
//   await mailbox.secret(to, "team/accept")  waits for a letter whose link leads to that page, takes it out, gives the secret
//   mailbox.letter(to, words)              waits for a letter that holds all of the words
//   mailbox.close()

"use strict";

const net = require("node:net");

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Undoes quoted-printable as far as links and plain words need it. */
const unfold = (text) =>
  text.replace(/=\r?\n/g, "").replace(/=([0-9A-F]{2})/g, (_all, hex) => String.fromCharCode(Number.parseInt(hex, 16)));

async function open() {
  const letters = [];
  const server = net.createServer((socket) => {
    let left = "";
    let to = "";
    let data = null;
    const say = (line) => socket.write(`${line}\r\n`);
    socket.on("error", () => {});
    say("220 post.test");
    socket.on("data", (part) => {
      left += part;
      for (let at = left.indexOf("\r\n"); at >= 0; at = left.indexOf("\r\n")) {
        const line = left.slice(0, at);
        left = left.slice(at + 2);
        if (data !== null) {
          if (line === ".") {
            letters.push({ to, text: unfold(data) });
            data = null;
            say("250 kept");
          } else data += `${line.replace(/^\./, "")}\r\n`;
        } else if (/^DATA/i.test(line)) {
          data = "";
          say("354 go on");
        } else if (/^QUIT/i.test(line)) {
          say("221 bye");
          socket.end();
        } else {
          const rcpt = /^RCPT TO:<([^>]*)>/i.exec(line);
          if (rcpt) to = rcpt[1];
          say("250 post.test");
        }
      }
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const take = async (to, wanted) => {
    for (let i = 0; i < 400; i++) {
      const at = letters.findIndex((letter) => letter.to === to && wanted(letter.text));
      if (at >= 0) return letters.splice(at, 1)[0].text;
      await sleep(50);
    }
    throw new Error(`no such letter to ${to}; there are ${JSON.stringify(letters)}`);
  };
  return {
    flags: ["--smtp-url", `smtp://127.0.0.1:${server.address().port}?starttls=off`, "--mail-from", "paddock@example.test"],
    async secret(to, page) {
      const link = new RegExp(`/console/${page}/([\\w-]+)`);
      return link.exec(await take(to, (text) => link.test(text)))[1];
    },
    letter: (to, words) => take(to, (text) => words.every((word) => text.includes(word))),
    close: () => server.close(),
  };
}

module.exports = { open };
