import { describe, expect, it } from 'vitest';
import { alignsOf, formatBits, path, qrCode, times } from '@/ui/qr';

// Reads a code as a camera would, from the finished picture alone, with tables of its own.
const CHECKS = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];
const FORMATS = ['101010000010010', '101000100100101', '101111001111100', '101101101001011', '100010111111001', '100000011001110', '100111110010111', '100101010100000'];

function isFixed(version: number) {
  const size = version * 4 + 17;
  const aligns = alignsOf(version);
  return (x: number, y: number) => {
    if (x === 6 || y === 6) return true;
    if ((x < 9 && y < 9) || (x >= size - 8 && y < 9) || (x < 9 && y >= size - 8)) return true;
    if (version >= 7 && ((x >= size - 11 && y < 6) || (y >= size - 11 && x < 6))) return true;
    return aligns.some((cx) => aligns.some((cy) => {
      const corner = (cx === 6 && cy === 6) || (cx === 6 && cy === size - 7) || (cy === 6 && cx === size - 7);
      return !corner && Math.abs(cx - x) <= 2 && Math.abs(cy - y) <= 2;
    }));
  };
}

function read(rows: boolean[][]): string {
  const size = rows.length;
  const version = (size - 17) / 4;
  const at = (x: number, y: number) => (rows[y]?.[x] ? 1 : 0);
  const format = [[0, 8], [1, 8], [2, 8], [3, 8], [4, 8], [5, 8], [7, 8], [8, 8], [8, 7], [8, 5], [8, 4], [8, 3], [8, 2], [8, 1], [8, 0]].map(([x = 0, y = 0]) => at(x, y)).join('');
  const second = [...[1, 2, 3, 4, 5, 6, 7].map((up) => at(8, size - up)), ...[8, 7, 6, 5, 4, 3, 2, 1].map((left) => at(size - left, 8))].join('');
  expect(second).toBe(format);
  const mask = FORMATS.indexOf(format);
  expect(mask).toBeGreaterThanOrEqual(0);
  const flips = [
    (i: number, j: number) => (i + j) % 2, (i: number) => i % 2, (_i: number, j: number) => j % 3, (i: number, j: number) => (i + j) % 3,
    (i: number, j: number) => (Math.floor(i / 2) + Math.floor(j / 3)) % 2, (i: number, j: number) => ((i * j) % 2) + ((i * j) % 3),
    (i: number, j: number) => (((i * j) % 2) + ((i * j) % 3)) % 2, (i: number, j: number) => (((i + j) % 2) + ((i * j) % 3)) % 2,
  ][mask];
  const bits = path(size, isFixed(version)).map(([x, y]) => at(x, y) ^ (flips?.(y, x) === 0 ? 1 : 0));
  const words = Array.from({ length: Math.floor(bits.length / 8) }, (_none, word) => Number.parseInt(bits.slice(word * 8, word * 8 + 8).join(''), 2));
  const [blocks, checks] = [BLOCKS[version - 1] ?? 0, CHECKS[version - 1] ?? 0];
  const parts: number[][] = Array.from({ length: blocks }, () => []);
  const data = words.length - blocks * checks;
  const short = Math.floor(data / blocks);
  const longer = blocks - (data % blocks);
  let next = 0;
  for (let word = 0; word <= short; word += 1) for (let block = 0; block < blocks; block += 1) if (word < short || block >= longer) parts[block]?.push(words[next++] ?? 0);
  const lengths = parts.map((part) => part.length);
  for (let word = 0; word < checks; word += 1) for (const part of parts) part.push(words[next++] ?? 0);
  // A block without an error is a multiple of the polynomial: it is zero at each of its roots.
  for (const part of parts) {
    for (let root = 0, alpha = 1; root < checks; root += 1, alpha = times(alpha, 2)) expect(part.reduce((sum, word) => times(sum, alpha) ^ word, 0)).toBe(0);
  }
  const all = parts.flatMap((part, block) => part.slice(0, lengths[block])).map((word) => word.toString(2).padStart(8, '0')).join('');
  expect(all.slice(0, 4)).toBe('0100');
  const count = version < 10 ? 8 : 16;
  const length = Number.parseInt(all.slice(4, 4 + count), 2);
  const from = 4 + count;
  return new TextDecoder().decode(new Uint8Array(Array.from({ length }, (_none, byte) => Number.parseInt(all.slice(from + byte * 8, from + byte * 8 + 8), 2))));
}

describe('a QR code', () => {
  it('carries the marks of its mask as the standard has them', () => {
    expect(FORMATS.map((_none, mask) => formatBits(mask).toString(2).padStart(15, '0'))).toEqual(FORMATS);
  });

  it('has its small squares where the standard puts them', () => {
    expect([1, 2, 6, 7, 10, 14, 20].map(alignsOf)).toEqual([[], [6, 18], [6, 34], [6, 22, 38], [6, 28, 50], [6, 26, 46, 66], [6, 34, 62, 90]]);
  });

  it.each([0, 1, 14, 15, 26, 62, 84, 122, 180, 213, 214, 287, 412, 500, 666])('of %d bytes is read back from its picture, without an error', (length) => {
    const text = `otpauth://totp/Pawl:zoé?secret=${'GEZDGNBVGY3TQOJQ'.repeat(50)}`;
    const cut = new TextDecoder().decode(new TextEncoder().encode(text).slice(0, length)).replaceAll('\uFFFD', '');
    const rows = qrCode(cut);
    expect(rows).not.toBeNull();
    expect(read(rows ?? [])).toBe(cut);
  });

  it('of more than it holds is none', () => {
    expect(qrCode('x'.repeat(666))?.length).toBe(97);
    expect(qrCode('x'.repeat(667))).toBeNull();
  });
});
