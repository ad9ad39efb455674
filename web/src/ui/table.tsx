import type { ReactNode } from 'react';
import { cx } from './cx';

export type Column<T> = { head: string; cell: (row: T) => ReactNode; className?: string; narrow?: boolean };

/** Rows of a list; the first column names the row. On a phone the others stand below it, side by side. */
export function Table<T>({ caption, rows, columns, id }: { caption: string; rows: readonly T[]; columns: Column<T>[]; id: (row: T) => string }) {
  return (
    <div className="panel overflow-hidden">
      <table className="w-full text-left">
        <caption className="sr-only">{caption}</caption>
        <thead className="border-b border-line bg-subtle text-xs text-muted max-md:sr-only">
          <tr>
            {columns.map((column) => (
              <th key={column.head} scope="col" className={cx('px-3 py-2 font-medium', column.className)}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={id(row)} data-row className="border-b border-line last:border-0 max-md:block max-md:py-2">
              {columns.map((column, at) => {
                const className = cx('px-3 align-middle md:py-2 max-md:py-0.5', at === 0 ? 'max-md:block' : 'max-md:inline-block max-md:max-w-full max-md:pr-0', column.className);
                return at === 0 ? (
                  <th key={column.head} scope="row" className={cx(className, 'font-normal')}>
                    {column.cell(row)}
                  </th>
                ) : (
                  <td key={column.head} className={className}>
                    {column.cell(row)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
