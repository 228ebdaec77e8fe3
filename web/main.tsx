import "@h5web/lib/styles.css";
import "./style.css";
import { createRoot } from "react-dom/client";
import { Page } from "./shell/page.tsx";

const place = document.getElementById("page");
if (place !== null) createRoot(place).render(<Page />);
