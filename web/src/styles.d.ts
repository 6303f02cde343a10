// The package names types for its styles that are not among its files (1.2.0).
declare module "@livekit/components-styles/components/participant";
