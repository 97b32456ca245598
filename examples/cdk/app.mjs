// Deploys a release of Tally by CDK: its template, and its zips as assets, so that no bucket is needed
// but the one that `cdk bootstrap` made. The parameters are in cdk.json.
//
//   make release && npm ci --prefix examples/cdk && npm run deploy --prefix examples/cdk
//
// They become the template's defaults, since CfnInclude takes no values for parameters that the
// template's rules name. So deploy with --no-previous-parameters, as that script does.

import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { App, Stack } from "aws-cdk-lib";
import { CfnInclude } from "aws-cdk-lib/cloudformation-include";
import { Asset } from "aws-cdk-lib/aws-s3-assets";

const FUNCTIONS = { ConsumerFunction: "consumer-", ApiFunction: "producer-" };
const DEPLOYMENT = "AWS::ApiGateway::Deployment";

const app = new App();
const parameters = app.node.tryGetContext("parameters");
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

// The zips are assets, so nothing reads the bucket, and CloudFormation asks for it all the same.
for (const [name, value] of Object.entries({ PackagesBucket: "unused", ...parameters })) {
  tally.getParameter(name).default = value;
}

for (const [name, start] of Object.entries(FUNCTIONS)) {
  const zip = new Asset(stack, `${name}Zip`, { path: file(start, ".zip") });
  tally.getResource(name).code = { s3Bucket: zip.s3BucketName, s3Key: zip.s3ObjectKey };
}

// API Gateway serves a deployment of the API, which is what the API was when that was made. So the
// deployment is called after the parameters, and a change of one makes it anew.
const stamp = createHash("sha256").update(JSON.stringify(parameters)).digest("hex").slice(0, 10);
for (const each of stack.node.findAll()) {
  if (each.cfnResourceType === DEPLOYMENT) each.overrideLogicalId(`${each.node.id}${stamp}`);
}
