import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useRef } from 'react';

/** A form whose fields are read when it is sent: a password lives in its field and nowhere else. */
export function useForm<T>(send: (values: Record<string, string>) => Promise<T>, done: (result: T) => void) {
  // The second of two clicks may come before the button has been drawn as busy.
  const sending = useRef(false);
  const mutation = useMutation({
    mutationFn: send,
    onSuccess: done,
    onSettled: () => {
      sending.current = false;
    },
  });
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (sending.current) return;
    sending.current = true;
    const values: Record<string, string> = {};
    for (const [name, value] of new FormData(event.currentTarget)) if (typeof value === 'string') values[name] = value;
    mutation.mutate(values);
  };
  return { onSubmit, busy: mutation.isPending, error: mutation.error, data: mutation.data, reset: mutation.reset };
}
