// Computes the contrast of every pair of colours that meet (WCAG 2.2), and how far apart the status colours are for four kinds of sight
// (Machado 2009; CIEDE2000), in both themes of src/styles.css.
import { readFileSync } from 'node:fs';

const css = readFileSync(new URL('../src/styles.css', import.meta.url), 'utf8');
const tokens = (selector) =>
  Object.fromEntries([...css.slice(css.indexOf(selector)).split('}')[0].matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})\b/gi)].map((match) => [match[1], match[2]]));
const THEMES = { light: tokens(':root {'), dark: tokens("[data-theme='dark'] {") };
const STATES = ['ok', 'run', 'fail', 'wait', 'retry', 'idle'];
const SURFACES = ['bg', 'bg-subtle', 'bg-hover', 'bg-raised'];

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const luminance = (hex) => channels(hex).map(linear).reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
const contrast = (a, b) => (Math.max(luminance(a), luminance(b)) + 0.05) / (Math.min(luminance(a), luminance(b)) + 0.05);

const SIGHTS = {
  normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};
const XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]];
const times = (matrix, vector) => matrix.map((row) => row.reduce((sum, value, at) => sum + value * vector[at], 0));

function lab(hex, sight) {
  const seen = times(SIGHTS[sight], channels(hex).map(linear)).map((value) => Math.min(1, Math.max(0, value)));
  const [x, y, z] = times(XYZ, seen).map((value, at) => {
    const part = value / [0.95047, 1, 1.08883][at];
    return part > 216 / 24389 ? Math.cbrt(part) : ((24389 / 27) * part + 16) / 116;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function difference([l1, a1, b1], [l2, a2, b2]) {
  const rad = Math.PI / 180;
  const mean = (Math.hypot(a1, b1) + Math.hypot(a2, b2)) / 2;
  const g = 0.5 * (1 - Math.sqrt(mean ** 7 / (mean ** 7 + 25 ** 7)));
  const [p1, p2] = [a1 * (1 + g), a2 * (1 + g)];
  const [c1, c2] = [Math.hypot(p1, b1), Math.hypot(p2, b2)];
  const [h1, h2] = [Math.atan2(b1, p1), Math.atan2(b2, p2)].map((angle) => (angle / rad + 360) % 360);
  let turn = c1 * c2 === 0 ? 0 : h2 - h1;
  if (Math.abs(turn) > 180) turn += turn > 0 ? -360 : 360;
  const dh = 2 * Math.sqrt(c1 * c2) * Math.sin((turn / 2) * rad);
  const [lm, cm] = [(l1 + l2) / 2, (c1 + c2) / 2];
  let hm = (h1 + h2) / 2;
  if (c1 * c2 && Math.abs(h1 - h2) > 180) hm += hm < 180 ? 180 : -180;
  const cosine = (factor, offset) => Math.cos((factor * hm + offset) * rad);
  const tone = 1 - 0.17 * cosine(1, -30) + 0.24 * cosine(2, 0) + 0.32 * cosine(3, 6) - 0.2 * cosine(4, -63);
  const bend = 30 * Math.exp(-(((hm - 275) / 25) ** 2));
  const [sl, sc, sh] = [1 + (0.015 * (lm - 50) ** 2) / Math.sqrt(20 + (lm - 50) ** 2), 1 + 0.045 * cm, 1 + 0.015 * cm * tone];
  const rotate = -Math.sin(2 * bend * rad) * 2 * Math.sqrt(cm ** 7 / (cm ** 7 + 25 ** 7));
  const [l, c, h] = [(l2 - l1) / sl, (c2 - c1) / sc, dh / sh];
  return Math.sqrt(l ** 2 + c ** 2 + h ** 2 + rotate * c * h);
}

const bad = [];
let checked = 0;
for (const [theme, token] of Object.entries(THEMES)) {
  const pairs = [
    ...SURFACES.flatMap((surface) => ['fg', 'fg-muted', 'accent', ...STATES.map((state) => `st-${state}`)].map((text) => [text, surface, 4.5])),
    ['on-accent', 'accent', 4.5],
    ...['bg', 'bg-subtle', 'bg-raised'].flatMap((surface) => ['border-strong', 'focus', ...STATES.map((state) => `fill-${state}`)].map((line) => [line, surface, 3])),
  ];
  for (const [above, below, least] of pairs) {
    const found = contrast(token[above], token[below]);
    checked += 1;
    if (!(found >= least)) bad.push(`${theme}: ${above} on ${below} has ${found.toFixed(2)}, needs ${least}`);
  }
  for (const kind of ['st-', 'fill-']) {
    for (const sight of Object.keys(SIGHTS)) {
      for (const [at, one] of STATES.entries()) {
        for (const other of STATES.slice(at + 1)) {
          const found = difference(lab(token[kind + one], sight), lab(token[kind + other], sight));
          const least = one === 'ok' && other === 'fail' ? 15 : 9;
          checked += 1;
          if (!(found >= least)) bad.push(`${theme}: ${kind}${one} and ${kind}${other} are ${found.toFixed(1)} apart with ${sight}, need ${least}`);
        }
      }
    }
  }
}
for (const line of bad) console.error(line);
console.log(`${checked} pairs of colours, ${bad.length} bad`);
process.exitCode = bad.length === 0 ? 0 : 1;
