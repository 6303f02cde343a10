// Icons as paths on a grid of 24, drawn here so that nothing is fetched.

const PATHS = {
  microphone: "M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3M5 11v1a7 7 0 0 0 14 0v-1M12 19v3",
  muted: "M3 3l18 18M9 9v3a3 3 0 0 0 4.800 2.400M15 10.500V6a3 3 0 0 0-5.800-1M5 11v1a7 7 0 0 0 11 5.700M19 11v1a7 7 0 0 1-.5 2.600M12 19v3",
  hangUp: "M3 15.500c5-5 13-5 18 0l-2.500 2.800-3.500-1.500v-2.600c-2-.6-4-.6-6 0v2.600l-3.500 1.500z",
  sound: "M4 9v6h4l5 4V5L8 9zM16.500 8.500a5 5 0 0 1 0 7M19 6a8.500 8.500 0 0 1 0 12",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.500v5M9 14.500v5",
  send: "M4 12l16-8-6 16-3-7z",
  save: "M12 4v11M7 11l5 5 5-5M5 20h14",
  down: "M12 5v14M6 13l6 6 6-6",
  close: "M6 6l12 12M18 6L6 18",
  warning: "M12 4l9.500 16h-19zM12 10v4M12 17v.5",
  search: "M11 4a7 7 0 1 0 0 14a7 7 0 0 0 0-14M16 16l5 5",
  refresh: "M20 11a8 8 0 1 0-2.300 6.700M20 5v6h-6",
  check: "M5 13l4 4L19 7",
  copy: "M9 9h10v11H9zM5 15V4h10",
  minus: "M5 12h14",
  next: "M9 5l7 7-7 7",
  pause: "M8 5v14M16 5v14",
  play: "M7 5l12 7-12 7z",
  plus: "M12 5v14M5 12h14",
  previous: "M15 5l-7 7 7 7",
  signOut: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  stop: "M6 6h12v12H6z",
} as const;

export type IconName = keyof typeof PATHS;

/** Draws an icon. It says nothing to screen readers: what it stands beside does. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2" aria-hidden="true">
      <path d={PATHS[name]} strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
