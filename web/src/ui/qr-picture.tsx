import { useMemo } from 'react';
import { qrCode } from './qr';

/** Light around it, as much as readers want. */
const QUIET = 4;

/** A text as a picture for a camera; nothing where it is too long for one. */
export function QrPicture({ text, label }: { text: string; label: string }) {
  const rows = useMemo(() => qrCode(text), [text]);
  if (!rows) return null;
  const size = rows.length + 2 * QUIET;
  const path = rows.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x + QUIET} ${y + QUIET}h1v1h-1z`] : []))).join('');
  return (
    <svg role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} shapeRendering="crispEdges" className="qr w-52 max-w-full self-center rounded-md">
      <path d={path} />
    </svg>
  );
}
