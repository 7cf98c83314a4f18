// Mantine's looks on the router's typed links.
import { Anchor, type AnchorProps, Button, type ButtonProps, NavLink, type NavLinkProps } from "@mantine/core";
import { createLink } from "@tanstack/react-router";
import { type AnchorHTMLAttributes, forwardRef } from "react";

type Attributes = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, "style" | "color">;

export const TextLink = createLink(
  forwardRef<HTMLAnchorElement, AnchorProps & Attributes>((props, ref) => <Anchor ref={ref} {...props} />),
);

export const ButtonLink = createLink(
  forwardRef<HTMLAnchorElement, ButtonProps & Attributes>((props, ref) => <Button ref={ref} component="a" {...props} />),
);

export const MenuLink = createLink(
  forwardRef<HTMLAnchorElement, NavLinkProps & Omit<Attributes, keyof NavLinkProps>>((props, ref) => (
    <NavLink ref={ref} component="a" {...props} />
  )),
);
