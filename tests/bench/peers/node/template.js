// The same as tests/bench/template.c with mustache.js: its own cache of parsed templates, the output's octets counted.
import { readFileSync } from 'node:fs';
import Mustache from 'mustache';

const [source, json] = process.argv.slice(2).map((path) => readFileSync(path, 'utf8'));
const data = JSON.parse(json);
const RUNS = 21;
const RENDERINGS = 500;

let out = '';
const rates = [];
for (let i = 0; i < RUNS; i++) {
  const start = process.cpuUsage();
  for (let j = 0; j < RENDERINGS; j++) out = Mustache.render(source, data);
  const { user, system } = process.cpuUsage(start);
  rates.push((Buffer.byteLength(out) * RENDERINGS) / (user + system));
}
rates.sort((a, b) => a - b);
console.log(`${Buffer.byteLength(out)} ${rates[RUNS >> 1].toFixed(1)}`);
