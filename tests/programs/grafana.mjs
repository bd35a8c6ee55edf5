// Checks a dashboard against Grafana's own schema, which is published as types of TypeScript.
//
//     NODE_PATH=.../node_modules node grafana.mjs dashboard.json
//
// The exit status is 0 if it fits; otherwise what does not fit stands on stderr.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const ts = require("typescript");

/** The options of each type of panel, and the type of its fields if it has one. */
const PANELS = {
  "stat": ["stat", false],
  "state-timeline": ["statetimeline", true],
  "timeseries": ["timeseries", true],
};

const schema = dirname(dirname(dirname(require.resolve("@grafana/schema"))));
const types = join(schema, "dist/types");
const dashboard = JSON.parse(readFileSync(process.argv[2], "utf8"));

const lines = [
  `import type { AnnotationQuery, Dashboard, DataQuery, Panel } from "${types}/index";`,
  // In JSON an enumeration is its text.
  "type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;",
  // With what Prometheus as a data source reads besides.
  "type Query = Json<DataQuery> & { expr: string };",
  "type Annotation = Json<Omit<AnnotationQuery, 'target'>> & { target: Query, titleFormat?: string };",
];
for (const [type, [folder]] of Object.entries(PANELS)) {
  const name = type.replace("-", "_");
  lines.push(`import type * as ${name} from "${types}/raw/composable/${folder}/panelcfg/x/types.gen";`);
}
const check = (name, type, value) => lines.push(`const ${name}: ${type} = ${JSON.stringify(value)};`);
const { annotations, panels, ...rest } = dashboard;
check("dashboard", "Json<Dashboard>", rest);
annotations.list.forEach((annotation, index) => check(`annotation_${index}`, "Annotation", annotation));
panels.forEach((panel, index) => {
  const [, hasFields] = PANELS[panel.type] ?? [];
  if (hasFields === undefined) throw new Error(`panel "${panel.title}" has the unknown type ${panel.type}`);
  check(`panel_${index}`, "Json<Panel>", panel);
  const name = panel.type.replace("-", "_");
  check(`options_${index}`, `Json<Partial<${name}.Options>>`, panel.options ?? {});
  const { custom } = panel.fieldConfig.defaults;
  if (hasFields && custom) check(`fields_${index}`, `Json<Partial<${name}.FieldConfig>>`, custom);
});

const file = join(schema, "dashboard.ts");
const options = { strict: true, noEmit: true, skipLibCheck: true, target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
const host = ts.createCompilerHost(options);
const { getSourceFile, fileExists, readFile } = host;
const source = `${lines.join("\n")}\n`;
host.getSourceFile = (name, ...all) => name === file
  ? ts.createSourceFile(name, source, ts.ScriptTarget.ES2022) : getSourceFile(name, ...all);
host.fileExists = (name) => name === file || fileExists(name);
host.readFile = (name) => name === file ? source : readFile(name);
const problems = ts.getPreEmitDiagnostics(ts.createProgram([file], options, host));
for (const { messageText, start } of problems) {
  const line = source.slice(0, start).split("\n").at(-1).slice(-60);
  console.error(`${ts.flattenDiagnosticMessageText(messageText, "\n")}\n  behind: ${line}`);
}
process.exit(problems.length ? 1 : 0);
