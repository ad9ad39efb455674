import { Check, Copy } from 'lucide-react';
import { useState } from 'react';
import { t } from '@/i18n/en';
import { IconButton } from './button';
import { toast } from './toast';

/** `text` may be made only when it is wanted: that of a large value takes time. */
export function CopyButton({ text, label }: { text: string | (() => string | Promise<string>); label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void Promise.resolve(typeof text === 'string' ? text : text())
      .then((made) => navigator.clipboard.writeText(made))
      .then(() => {
        setCopied(true);
        setTimeout(() => setCopied(false), 1500);
      })
      .catch((error: unknown) => toast.failed(error));
  };
  return (
    <IconButton label={copied ? t.common.copied : label} className="size-7!" onClick={copy}>
      {copied ? <Check className="size-3.5" aria-hidden="true" /> : <Copy className="size-3.5" aria-hidden="true" />}
    </IconButton>
  );
}
