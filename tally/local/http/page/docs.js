// Shows the API as its OpenAPI document has it; nothing here knows what the API does.

const $ = (id) => document.getElementById(id);
const INT64 = [-9223372036854775808, 9223372036854775807]; // as JavaScript rounds them

/** An element with texts and elements in it; texts are never read as HTML. */
function element(name, ...content) {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}

/** A text of the document, with what stands between backticks as code. */
function prose(text) {
  const parts = text.split("`");
  return parts.map((part, position) => (position % 2 ? element("code", part) : part));
}

/** A path that may go on in the next line after a slash, and in the midst of a word only where it must. */
function breakable(path) {
  return path.split(/(?<=\/)(?=[^/])/).flatMap((part, position) => (position ? [element("wbr"), part] : part));
}

/** What a $ref stands for. */
function resolved(openapi, schema) {
  const name = schema?.$ref?.split("/").pop();
  return name ? openapi.components.schemas[name] : schema;
}

/** A schema in a few words; what may be null may as well be left out, and that is not said. */
function words(openapi, schema) {
  const parts = (schema.anyOf ?? [schema]).filter((part) => part.type !== "null");
  return parts.map((part) => one(openapi, resolved(openapi, part))).join(" or ");
}

function one(openapi, schema) {
  if (schema.enum) return schema.enum.join(", ");
  if (schema.type === "array") return `array of ${words(openapi, schema.items)}`;
  const bounds = [schema.minimum, schema.maximum];
  const isInt64 = schema.format === "int64" && bounds.every((bound, i) => bound === INT64[i]);
  const limits = [
    schema.minLength !== undefined && `${schema.minLength} to ${schema.maxLength} characters`,
    !isInt64 && schema.minimum !== undefined && `from ${schema.minimum}`,
    schema.pattern && `like ${schema.pattern}`,
  ];
  return [schema.format ?? schema.type, ...limits.filter(Boolean)].join(", ");
}

function table(title, rows) {
  if (!rows.length) return [];
  const body = rows.map(([name, kind, text]) => {
    const head = element("th", name);
    head.scope = "row";
    return element("tr", head, element("td", kind), element("td", ...prose(text)));
  });
  return [element("h3", title), element("table", element("tbody", ...body))];
}

function parameters(openapi, operation) {
  return (operation.parameters ?? []).map((parameter) => [
    parameter.name,
    `${parameter.in}${parameter.required ? ", required" : ""}; ${words(openapi, parameter.schema)}`,
    parameter.description ?? "",
  ]);
}

function bodyOf(openapi, operation) {
  const schema = operation.requestBody?.content["application/json"].schema;
  return schema && resolved(openapi, (schema.anyOf ?? [schema])[0]);
}

function fields(openapi, operation) {
  const properties = bodyOf(openapi, operation)?.properties ?? {};
  return Object.entries(properties).map(([name, schema]) => {
    const otherwise = schema.default === undefined ? "" : `; ${schema.default} without`;
    const described = schema.description ?? schema.anyOf?.find((part) => part.description)?.description;
    return [name, words(openapi, schema) + otherwise, described ?? ""];
  });
}

function answers(openapi, operation) {
  return Object.entries(operation.responses).map(([status, response]) => [
    status,
    Object.keys(response.content ?? {}).join(", "),
    response.description,
  ]);
}

function example(openapi, method, path, operation) {
  const named = path.replace("{counter}", "page:home").replace("{event}", "9f86d081884c7d65:17:1790000000123");
  const query = (operation.parameters ?? []).some((parameter) => parameter.in === "query")
    ? "?name=page:home&name=seats:concert-17"
    : "";
  const [field] = Object.keys(bodyOf(openapi, operation)?.properties ?? {});
  const data = field ? ` \\\n  --json '{"${field}": 2}'` : "";
  const verb = method === "get" || data ? "" : ` -X ${method.toUpperCase()}`;
  return element("pre", ...breakable(`curl${verb} '${location.origin}${named}${query}'${data}`));
}

function article(openapi, path, method, operation) {
  return element(
    "article",
    element("h2", element("b", method.toUpperCase()), " ", ...breakable(path)),
    element("p", `${operation.summary}. ${operation.description ?? ""}`),
    example(openapi, method, path, operation),
    ...table("Parameters", parameters(openapi, operation)),
    ...table("Body", fields(openapi, operation)),
    ...table("Answers", answers(openapi, operation)),
  );
}

async function read() {
  const openapi = await (await fetch("/openapi.json")).json();
  $("about").textContent = openapi.info.description;
  for (const [path, operations] of Object.entries(openapi.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      $("operations").append(article(openapi, path, method, operation));
    }
  }
  $("pulse").textContent = `version ${openapi.info.version}`;
}

read().catch((error) => {
  $("pulse").textContent = error.message;
});
