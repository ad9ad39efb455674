import { Check, Copy } from 'lucide-react';
import { useState } from 'react';
import { t } from '@/i18n/en';
import { IconButton } from './button';

/** `text` may be made only when it is wanted: that of a large value takes time. */
export function CopyButton({ text, label }: { text: string | (() => string); label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard.writeText(typeof text === 'string' ? text : text()).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    });
  };
  return (
    <IconButton label={copied ? t.common.copied : label} className="size-7!" onClick={copy}>
      {copied ? <Check className="size-3.5" aria-hidden="true" /> : <Copy className="size-3.5" aria-hidden="true" />}
    </IconButton>
  );
}
