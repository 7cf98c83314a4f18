/** The product's mark: a stretch of fence. Decoration; the name stands beside it or in its link. */
export function Mark({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="7" fill="#2a7a4b" />
      <path d="M8 8v16M16 8v16M24 8v16M5 13h22M5 19h22" stroke="#fff" strokeWidth="2.6" strokeLinecap="round" fill="none" />
    </svg>
  );
}
