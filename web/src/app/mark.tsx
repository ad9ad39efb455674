export function Mark({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true" className={className}>
      <rect width="32" height="32" rx="8" className="fill-accent" />
      <path d="M11 24V8h6.5a5 5 0 0 1 0 10H11" fill="none" className="stroke-on-accent" strokeWidth="3" strokeLinejoin="round" strokeLinecap="round" />
      <circle cx="22.5" cy="23" r="2" className="fill-on-accent" />
    </svg>
  );
}
