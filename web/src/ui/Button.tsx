import type { ButtonHTMLAttributes } from "react";

import { Icon, type IconName } from "./Icon.tsx";

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: "plain" | "main" | "danger" | "round";
  icon?: IconName;
}

/** A button that is 44 px high at least, and submits nothing unless it is told to. */
export function Button({ look = "plain", icon, className = "", children, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} className={`button ${className}`} data-look={look}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}
