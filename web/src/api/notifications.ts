// What pages ask the server about notifications.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { scope } from '@/app/session';
import { api, ask, type Schemas } from './client';

export type Notification = Schemas['Notification'];
export type NotificationKind = Notification['kind'];

export const notificationsKey = () => [scope(), 'notifications'];

export function notificationsQuery(onlyNew: boolean, kind: NotificationKind | undefined) {
  return infiniteQueryOptions({
    queryKey: [...notificationsKey(), 'list', onlyNew, kind],
    queryFn: ({ pageParam }) =>
      ask(api.GET('/api/notifications', { params: { query: { limit: 50, ...(onlyNew ? { unread: true } : {}), ...(kind ? { kind } : {}), ...(pageParam ? { cursor: pageParam } : {}) } } })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });
}

export function unreadQuery() {
  return queryOptions({ queryKey: [...notificationsKey(), 'unread'], queryFn: () => ask(api.GET('/api/notifications/unread-count')), refetchInterval: 60_000 });
}

export function preferencesQuery() {
  return queryOptions({ queryKey: [...notificationsKey(), 'preferences'], queryFn: () => ask(api.GET('/api/notifications/preferences')) });
}

export const channelsKey = () => [...notificationsKey(), 'channels'];

export function channelsQuery() {
  return queryOptions({ queryKey: channelsKey(), queryFn: () => ask(api.GET('/api/notification-channels')) });
}

export function mark(one: Notification, read: boolean): Promise<unknown> {
  const params = { path: { notification_id: one.id } };
  return ask(read ? api.POST('/api/notifications/{notification_id}/read', { params }) : api.DELETE('/api/notifications/{notification_id}/read', { params }));
}
