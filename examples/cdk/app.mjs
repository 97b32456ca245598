// Deploys a release of Tally by CDK: its template as it is, and its zips as assets, so that no bucket
// is needed but the one that `cdk bootstrap` made.
//
//   make release && npm ci --prefix examples/cdk && cd examples/cdk
//   npx cdk deploy --parameters MomentoEndpoint=… --parameters MomentoApiKeySecretArn=arn:…

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { App, Stack } from "aws-cdk-lib";
import { CfnInclude } from "aws-cdk-lib/cloudformation-include";
import { Asset } from "aws-cdk-lib/aws-s3-assets";

const FUNCTIONS = { ConsumerFunction: "consumer-", ApiFunction: "producer-" };

const app = new App();
const release = app.node.tryGetContext("release") ?? fileURLToPath(new URL("../../build/release", import.meta.url));

/** The one file of the release whose name begins and ends so. */
function file(start, end) {
  const found = readdirSync(release).filter((name) => name.startsWith(start) && name.endsWith(end));
  if (found.length !== 1) throw new Error(`${release} has ${found.length} files ${start}…${end}: run make release`);
  return join(release, found[0]);
}

// Protected from `cdk destroy`: the queues would go with it, and what is in them.
const stack = new Stack(app, app.node.tryGetContext("stack") ?? "tally", { terminationProtection: true });
const tally = new CfnInclude(stack, "Tally", { templateFile: file("template-", ".json") });

for (const [name, start] of Object.entries(FUNCTIONS)) {
  const zip = new Asset(stack, `${name}Zip`, { path: file(start, ".zip") });
  tally.getResource(name).code = { s3Bucket: zip.s3BucketName, s3Key: zip.s3ObjectKey };
}

// Nothing reads it now, and CloudFormation asks for it all the same. `parameters` of CfnInclude would
// take it out, and cannot be used for those that the template's rules name: give those on the command
// line, or a default like this one.
tally.getParameter("PackagesBucket").default = "unused";
