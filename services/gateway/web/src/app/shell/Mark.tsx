/** The product's mark: rows of a build, the last one still growing. */
export function Mark({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <rect width="24" height="24" rx="6" fill="var(--running-fill)" />
      <path d="M6 7.5h12M6 12h9M6 16.5h4.5" stroke="#fff" strokeWidth="2.4" strokeLinecap="round" />
      <circle cx="15.5" cy="16.5" r="1.7" fill="#fff" />
    </svg>
  )
}
