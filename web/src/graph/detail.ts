export type Detail = 'all' | 'names' | 'large' | 'none';

/** How much of what tasks say is drawn at a zoom: nothing stands there in less than 9 pixels; smaller drawings say less, in larger letters. */
export function detailAt(zoom: number): Detail {
  if (zoom >= 0.75) return 'all';
  if (zoom >= 0.5) return 'names';
  return zoom >= 0.33 ? 'large' : 'none';
}
