// What the tasks around a task bind for it: the names that a test of it alone has to give values to.
import { isMap, parseDocument } from 'yaml';
import { pathOf } from './reference';

const text = (value: unknown, otherwise: string) => (typeof value === 'string' ? value : otherwise);

/** Outermost first; an inner one hides an outer one of the same name. */
export function variablesAround(definition: string, reference: string): string[] {
  const document = parseDocument(definition);
  const path = pathOf(reference);
  const names: string[] = [];
  const bind = (...more: string[]) => {
    for (const name of more) {
      if (names.includes(name)) names.splice(names.indexOf(name), 1);
      names.push(name);
    }
  };
  if (reference.startsWith('/document/metadata/finally/')) bind('error', 'status');
  for (let end = 1; end < path.length; end += 1) {
    const task = document.getIn(path.slice(0, end), true);
    if (!isMap(task)) continue;
    const below = path[end];
    if (below === 'do' && task.has('for')) bind(text(task.getIn(['for', 'each']), 'item'), text(task.getIn(['for', 'at']), 'index'));
    if (below === 'catch') bind(text(task.getIn(['catch', 'as']), 'error'));
    if (below === 'foreach') bind(text(task.getIn(['foreach', 'item']), 'item'), text(task.getIn(['foreach', 'at']), 'index'));
  }
  return names;
}
