import "@h5web/lib/styles.css";
import "./style.css";
import { createRoot } from "react-dom/client";
import { loadPlots } from "./plots/later.tsx";
import { askFirst } from "./server/first-questions.ts";
import { Page } from "./shell/page.tsx";

/** After this long the first picture is there, or does not come: all of the page is loaded while its server runs. */
const LOAD_MS = 3000;

askFirst();
const place = document.getElementById("page");
if (place !== null) createRoot(place).render(<Page />);
setTimeout(() => loadPlots().catch(() => {}), LOAD_MS);
