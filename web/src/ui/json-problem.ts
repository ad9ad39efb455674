/** What keeps a text from being JSON; nothing counts as null. */
export function jsonProblem(text: string): string | null {
  try {
    JSON.parse(text || 'null');
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
