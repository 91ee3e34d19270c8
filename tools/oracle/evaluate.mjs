// Reads [{today, inputs, expressions}] on stdin, writes one list of "true" | "false" | "unknown" per element.
// today() is replaced by the fixed day: an oracle with a clock of its own would give another answer tomorrow.
import fhirpath from "fhirpath";
import r4 from "fhirpath/fhir-context/r4/index.js";
import { readFileSync } from "node:fs";

const jobs = JSON.parse(readFileSync(0, "utf8"));
const compiled = new Map();

function evaluate(text, today, inputs) {
  const dated = text.replaceAll("today()", `@${today}`);
  if (!compiled.has(dated)) compiled.set(dated, fhirpath.compile(dated, r4));
  const result = compiled.get(dated)({}, inputs);
  if (result.length === 0) return "unknown";
  if (result.length > 1 || typeof result[0] !== "boolean") throw new Error(`${text}: ${JSON.stringify(result)}`);
  return String(result[0]);
}

const answers = jobs.map(({ today, inputs, expressions }) => expressions.map((text) => evaluate(text, today, inputs)));
process.stdout.write(JSON.stringify(answers));
