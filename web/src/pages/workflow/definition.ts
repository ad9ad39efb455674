// What pages read out of a definition besides showing it.
import { parse } from 'yaml';
import { isSchema, type Schema } from '@/ui/schema';

type Definition = {
  input?: { schema?: { document?: unknown } };
  document?: { metadata?: { webhook?: unknown } };
};

function read(definition: unknown): Definition {
  try {
    const value = (typeof definition === 'string' ? parse(definition) : definition) as unknown;
    return value !== null && typeof value === 'object' ? (value as Definition) : {};
  } catch {
    return {};
  }
}

/** The schema of the input, where it is an object whose members are named. */
export function inputSchemaOf(definition: unknown): Schema | null {
  const schema = read(definition).input?.schema?.document;
  return isSchema(schema) && schema.properties && Object.keys(schema.properties).length > 0 ? schema : null;
}

export type Webhook = { wait: boolean; secret: string | null; scheme: string | null };

export function webhookOf(definition: unknown): Webhook {
  const rule = read(definition).document?.metadata?.webhook;
  const { wait, secret, scheme } = (rule !== null && typeof rule === 'object' ? rule : {}) as { wait?: unknown; secret?: unknown; scheme?: unknown };
  return { wait: wait === true, secret: typeof secret === 'string' ? secret : null, scheme: typeof scheme === 'string' ? scheme : null };
}
