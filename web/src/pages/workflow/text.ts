/** A definition that was given as an object is edited as JSON, which is YAML too. */
export function textOf(definition: unknown): string {
  return typeof definition === 'string' ? definition : JSON.stringify(definition, null, 2);
}
