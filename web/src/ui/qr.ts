// QR codes (ISO/IEC 18004): bytes, error correction M, versions 1 to 20 (666 bytes). Enough for a link that a camera takes over.

/** For each version: check words of a block, and blocks. */
const CHECKS = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];
const LEVEL_M = 0;

/** Bits that are left for words once the patterns are drawn. */
function roomOf(version: number): number {
  let bits = (16 * version + 128) * version + 64;
  if (version >= 2) {
    const aligns = Math.floor(version / 7) + 2;
    bits -= (25 * aligns - 10) * aligns - 55;
    if (version >= 7) bits -= 36;
  }
  return bits;
}

const wordsOf = (version: number) => Math.floor(roomOf(version) / 8);
const dataWordsOf = (version: number) => wordsOf(version) - (CHECKS[version - 1] ?? 0) * (BLOCKS[version - 1] ?? 0);

export function alignsOf(version: number): number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.floor((version * 4 + count * 2 + 1) / (count * 2 - 2)) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_none, at) => version * 4 + 10 - (count - 2 - at) * step)];
}

/** In the field of 256 elements that the checks are computed in. */
export function times(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d);
    product ^= ((b >>> bit) & 1) * a;
  }
  return product;
}

function checksOf(data: readonly number[], count: number): number[] {
  const divisor = Array.from({ length: count }, (_none, at) => Number(at === count - 1));
  let root = 1;
  for (let step = 0; step < count; step += 1) {
    for (let at = 0; at < count; at += 1) divisor[at] = times(divisor[at] ?? 0, root) ^ (divisor[at + 1] ?? 0);
    root = times(root, 2);
  }
  const rest = Array.from({ length: count }, () => 0);
  for (const word of data) {
    const factor = word ^ (rest.shift() ?? 0);
    rest.push(0);
    divisor.forEach((coefficient, at) => {
      rest[at] = (rest[at] ?? 0) ^ times(coefficient, factor);
    });
  }
  return rest;
}

/** Data and checks in the order in which they are drawn: a word of each block, then the next of each. */
function interleaved(data: readonly number[], version: number): number[] {
  const [blocks, checks] = [BLOCKS[version - 1] ?? 1, CHECKS[version - 1] ?? 0];
  const short = blocks - (wordsOf(version) % blocks);
  const length = Math.floor(wordsOf(version) / blocks) - checks;
  const parts: number[][] = [];
  for (let block = 0, from = 0; block < blocks; block += 1) {
    const to = from + length + (block < short ? 0 : 1);
    parts.push(data.slice(from, to));
    from = to;
  }
  const found = parts.map((part) => checksOf(part, checks));
  const out: number[] = [];
  for (let at = 0; at <= length; at += 1) for (const part of parts) if (at < part.length) out.push(part[at] ?? 0);
  for (let at = 0; at < checks; at += 1) for (const part of found) out.push(part[at] ?? 0);
  return out;
}

const MASKS: ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** The remainder that makes up for errors in a small number. */
function protectedBits(value: number, polynomial: number, bits: number): number {
  let rest = value;
  for (let at = 0; at < bits; at += 1) rest = (rest << 1) ^ ((rest >>> (bits - 1)) * polynomial);
  return (value << bits) | rest;
}

export const formatBits = (mask: number) => protectedBits((LEVEL_M << 3) | mask, 0x537, 10) ^ 0x5412;

type Square = { size: number; dark: boolean[][]; fixed: boolean[][] };

function patterns(version: number): Square {
  const size = version * 4 + 17;
  const dark = Array.from({ length: size }, () => Array.from({ length: size }, () => false));
  const fixed = dark.map((row) => row.map(() => false));
  const set = (x: number, y: number, on: boolean) => {
    if (x < 0 || y < 0 || x >= size || y >= size) return;
    (dark[y] ?? [])[x] = on;
    (fixed[y] ?? [])[x] = true;
  };
  for (let at = 0; at < size; at += 1) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]] as const) {
    for (let dy = -4; dy <= 4; dy += 1) {
      for (let dx = -4; dx <= 4; dx += 1) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        set(x + dx, y + dy, ring !== 2 && ring !== 4);
      }
    }
  }
  const aligns = alignsOf(version);
  const last = aligns.length - 1;
  aligns.forEach((x, i) => {
    aligns.forEach((y, j) => {
      if ((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0)) return;
      for (let dy = -2; dy <= 2; dy += 1) for (let dx = -2; dx <= 2; dx += 1) set(x + dx, y + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
    });
  });
  drawFormat(set, size, 0);
  if (version >= 7) {
    const bits = protectedBits(version, 0x1f25, 12);
    for (let at = 0; at < 18; at += 1) {
      const on = ((bits >>> at) & 1) === 1;
      const [a, b] = [size - 11 + (at % 3), Math.floor(at / 3)];
      set(a, b, on);
      set(b, a, on);
    }
  }
  return { size, dark, fixed };
}

function drawFormat(set: (x: number, y: number, on: boolean) => void, size: number, mask: number): void {
  const bits = formatBits(mask);
  const bit = (at: number) => ((bits >>> at) & 1) === 1;
  for (let at = 0; at <= 5; at += 1) set(8, at, bit(at));
  set(8, 7, bit(6));
  set(8, 8, bit(7));
  set(7, 8, bit(8));
  for (let at = 9; at < 15; at += 1) set(14 - at, 8, bit(at));
  for (let at = 0; at < 8; at += 1) set(size - 1 - at, 8, bit(at));
  for (let at = 8; at < 15; at += 1) set(8, size - 15 + at, bit(at));
  set(8, size - 8, true);
}

/** Places of the words' bits, in their order: two columns at a time, up and down, from the right. */
export function path(size: number, isFixed: (x: number, y: number) => boolean): [number, number][] {
  const places: [number, number][] = [];
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    const up = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step += 1) {
      const y = up ? size - 1 - step : step;
      for (const x of [right, right - 1]) if (!isFixed(x, y)) places.push([x, y]);
    }
  }
  return places;
}

/** How hard it is to read: long runs, blocks, and more of one colour than of the other. */
function hardness(rows: readonly (readonly boolean[])[]): number {
  const size = rows.length;
  const at = (x: number, y: number) => rows[y]?.[x] ?? false;
  let sum = 0;
  for (const across of [true, false]) {
    for (let line = 0; line < size; line += 1) {
      for (let from = 0, to = 0; from < size; from = to) {
        const is = (index: number) => (across ? at(index, line) : at(line, index));
        for (to = from + 1; to < size && is(to) === is(from); to += 1);
        if (to - from >= 5) sum += to - from - 2;
      }
    }
  }
  let dark = 0;
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      if (at(x, y)) dark += 1;
      if (x > 0 && y > 0 && at(x, y) === at(x - 1, y) && at(x, y) === at(x, y - 1) && at(x, y) === at(x - 1, y - 1)) sum += 3;
    }
  }
  return sum + Math.floor(Math.abs(dark * 20 - size * size * 10) / (size * size)) * 10;
}

/** Rows of squares, true where one is dark; null where the text is too long. */
export function qrCode(text: string): boolean[][] | null {
  const bytes = [...new TextEncoder().encode(text)];
  let version = 1;
  const headOf = () => 4 + (version < 10 ? 8 : 16);
  while (version <= 20 && headOf() + bytes.length * 8 > dataWordsOf(version) * 8) version += 1;
  if (version > 20) return null;
  const bits: number[] = [];
  const put = (value: number, count: number) => {
    for (let at = count - 1; at >= 0; at -= 1) bits.push((value >>> at) & 1);
  };
  put(4, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  const room = dataWordsOf(version) * 8;
  put(0, Math.min(4, room - bits.length));
  put(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0xec; bits.length < room; pad ^= 0xec ^ 0x11) put(pad, 8);
  const data = Array.from({ length: room / 8 }, (_none, at) => bits.slice(at * 8, at * 8 + 8).reduce((word, bit) => (word << 1) | bit, 0));
  const words = interleaved(data, version);

  const { size, dark, fixed } = patterns(version);
  const places = path(size, (x, y) => fixed[y]?.[x] ?? false);
  let best: boolean[][] = [];
  let least = Infinity;
  MASKS.forEach((flips, mask) => {
    const rows = dark.map((row) => row.slice());
    places.forEach(([x, y], at) => {
      const bit = ((words[at >>> 3] ?? 0) >>> (7 - (at & 7))) & 1;
      (rows[y] ?? [])[x] = (bit === 1) !== flips(x, y);
    });
    drawFormat((x, y, on) => void ((rows[y] ?? [])[x] = on), size, mask);
    const hard = hardness(rows);
    if (hard < least) [best, least] = [rows, hard];
  });
  return best;
}
