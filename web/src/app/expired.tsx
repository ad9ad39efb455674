import { useQueryClient } from '@tanstack/react-query';
import { t } from '@/i18n/en';
import { LoginForm } from '@/pages/auth/login-form';
import { Dialog } from '@/ui/dialog';
import { useSession } from './session';

/** In place: what was typed on the page is still there afterwards. */
export default function Expired() {
  const email = useSession((state) => state.me?.email);
  const queries = useQueryClient();
  return (
    <Dialog open onClose={() => undefined} closable={false} title={t.auth.expired} description={t.auth.expiredHelp}>
      <div className="pb-3">
        <LoginForm {...(email ? { email } : {})} done={() => void queries.invalidateQueries()} />
      </div>
    </Dialog>
  );
}
