// Reads counts in Node.js with Momento's own SDK: a count is the first line of a value.
//
//     node examples/node/read.mjs page:home seats:concert-17

import {
  CacheClient,
  CacheGetResponse,
  Configurations,
  CredentialProvider,
  DefaultMomentoLoggerFactory,
  DefaultMomentoLoggerLevel,
} from "@gomomento/sdk";

/** Those of Momento; of a server without TLS and keys, such as `tally local up`, where one is named. */
function credentials() {
  const local = process.env.MOMENTO_LOCAL;
  if (!local) {
    return CredentialProvider.fromEnvVarV2(); // MOMENTO_API_KEY and MOMENTO_ENDPOINT
  }
  const [hostname, port] = local.split(":");
  return CredentialProvider.forMomentoLocal({ hostname, port: Number(port) });
}

/** The count of a counter; undefined if there is none: it never was, or it has expired. */
async function count(client, counter) {
  const answer = await client.get(process.env.MOMENTO_CACHE_NAME, counter);
  switch (answer.type) {
    case CacheGetResponse.Hit:
      // Up to the end of the line: the rest is the ledger. Past 2^53, BigInt(text.split("\n")[0]).
      return Number.parseInt(answer.valueString(), 10);
    case CacheGetResponse.Miss:
      return undefined;
    default:
      throw answer.innerException();
  }
}

const counters = process.argv.slice(2);
if (counters.length === 0) {
  console.error("usage: read.mjs COUNTER...");
  process.exit(2);
}

const client = new CacheClient({
  // Its logger writes to stdout, where the counts are.
  configuration: Configurations.Laptop.latest(
    new DefaultMomentoLoggerFactory(DefaultMomentoLoggerLevel.ERROR),
  ),
  credentialProvider: credentials(),
  defaultTtlSeconds: 60, // the SDK wants one; nothing is written here
});
try {
  const counts = await Promise.all(counters.map((counter) => count(client, counter)));
  counters.forEach((counter, place) => console.log(`${counter}\t${counts[place] ?? "-"}`));
} finally {
  client.close();
}
