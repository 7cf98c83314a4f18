import { Button, type ButtonProps, VisuallyHidden } from "@mantine/core";
import { useEffect, useState } from "react";
import { t } from "../texts";
import { copyText } from "./copy";

/** Copies value. Its visible word is short; `label` says to assistive technology what is copied. */
export function CopyButton({ value, label, ...rest }: { value: string; label: string } & ButtonProps) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <>
      <Button
        size="compact-sm"
        variant="default"
        {...rest}
        aria-label={copied ? undefined : label}
        onClick={() => void copyText(value).then(setCopied)}
      >
        {copied ? t.copied : t.copy}
      </Button>
      <VisuallyHidden role="status">{copied ? t.copied : ""}</VisuallyHidden>
    </>
  );
}
