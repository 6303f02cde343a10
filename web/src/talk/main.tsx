import "@livekit/components-styles/components/participant";
import "../ui/page.css";
import "../ui/theme.css";
import "./talk.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Page } from "./Page.tsx";

const root = document.getElementById("root");
if (root === null) throw new Error("the page has no root");
createRoot(root).render(
  <StrictMode>
    <Page />
  </StrictMode>,
);
