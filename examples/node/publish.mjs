// Publishes named increments from Node.js: the JSON contract, and nothing of Tally.
//
//     node examples/node/publish.mjs page:home order-17 order-18
//
// An increment with an id and its `at` counts once, however often it is sent: so whatever may have
// failed is sent again as it was. This program may also be run again with the same ids, soon: it
// stamps them anew, and the counter knows an id for a day, or for some 105,000 others.

import { setTimeout as pause } from "node:timers/promises";

import { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";

const ENTRIES_PER_REQUEST = 10; // SQS's limit
const MAX_ATTEMPTS = 5;
const BACKOFF_MS = 200;

const sqs = new SQSClient(); // region, credentials and endpoint are those of the environment

/**
 * Sends up to ten messages, again those that failed; returns those that SQS has not confirmed.
 *
 * The SDK throws when a request fails as a whole. When single messages of it fail, it does not:
 * they are in `Failed`, and lost for whoever does not look there.
 */
async function send(bodies) {
  const waiting = new Map(bodies.map((body, place) => [String(place), body]));
  const refused = [];
  for (let attempt = 0; attempt < MAX_ATTEMPTS && waiting.size > 0; attempt += 1) {
    await pause(attempt * BACKOFF_MS);
    const entries = [...waiting].map(([Id, MessageBody]) => ({ Id, MessageBody }));
    const { Successful = [], Failed = [] } = await sqs.send(
      new SendMessageBatchCommand({ QueueUrl: process.env.SQS_QUEUE_URL, Entries: entries }),
    );
    for (const { Id } of Successful) {
      waiting.delete(Id);
    }
    for (const { Id, SenderFault } of Failed) {
      if (SenderFault) {
        // It is refused again each time; another fault passes.
        refused.push(waiting.get(Id));
        waiting.delete(Id);
      }
    }
  }
  return [...refused, ...waiting.values()];
}

const [counter, ...ids] = process.argv.slice(2);
if (ids.length === 0) {
  console.error("usage: publish.mjs COUNTER ID...");
  process.exit(2);
}

// When it happened, the same in every copy: keep it with an id that you may repeat much later.
const at = Date.now();
const bodies = ids.map((id) => JSON.stringify({ counter, id, at }));
const unsent = [];
for (let start = 0; start < bodies.length; start += ENTRIES_PER_REQUEST) {
  unsent.push(...(await send(bodies.slice(start, start + ENTRIES_PER_REQUEST))));
}
console.log(`${bodies.length - unsent.length} of ${bodies.length} increments confirmed`);
for (const body of unsent) {
  console.error(`not confirmed: ${body}`);
}
process.exitCode = unsent.length > 0 ? 1 : 0;
