// The official client in the versions that the tests run, and what they say about its errors.

"use strict";

const assert = require("node:assert/strict");

/** Both are the package as published; the names are npm aliases of package.json. */
const versions = ["12.0.0", "12.3.1"].map((version) => ({ version, sdk: require(`sdk-${version}`) }));

/**
 * The call must be refused: the client throws the server's message, a string. (It throws an object after a
 * 5xx, a dropped connection or a broken answer, so this also says that none of those happened.)
 */
async function refused(call, pattern, why) {
  let answer;
  try {
    answer = await call();
  } catch (thrown) {
    assert.equal(typeof thrown, "string", `${why || call}: threw ${JSON.stringify(thrown) || thrown}`);
    assert.match(thrown, pattern, why || String(call));
    return thrown;
  }
  return assert.fail(`${why || call}: was not refused but answered ${JSON.stringify(answer)}`);
}

module.exports = { versions, refused };
