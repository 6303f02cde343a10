// Parts of a whole as one bar. It only repeats what the text beside it says.

export interface MeterPart {
  look: "active" | "warm" | "cold";
  size: number;
}

interface MeterProps {
  parts: MeterPart[];
  whole: number;
}

export function Meter({ parts, whole }: MeterProps) {
  const share = (size: number): string => `${whole > 0 ? Math.min(100, (100 * size) / whole) : 0}%`;
  return (
    <div className="meter" aria-hidden="true">
      {parts.map(({ look, size }) => (
        <span key={look} className="meter-part" data-look={look} style={{ width: share(size) }} />
      ))}
    </div>
  );
}
