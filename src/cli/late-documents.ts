import { DocumentStream, type ScanCallback } from "../scan/index.ts";

/** Keeps what a scan tells until the units of its axes and signals are known, and makes documents of it then. */
export class LateDocuments implements ScanCallback {
  readonly #told: ((documents: DocumentStream) => void)[] = [];

  begin(...told: Parameters<DocumentStream["begin"]>): void {
    this.#told.push((documents) => documents.begin(...told));
  }

  point(...told: Parameters<DocumentStream["point"]>): void {
    this.#told.push((documents) => documents.point(...told));
  }

  end(...told: Parameters<DocumentStream["end"]>): void {
    this.#told.push((documents) => documents.end(...told));
  }

  /** The documents, one a line. */
  lines(units: Readonly<Record<string, string>>): string {
    let text = "";
    const documents = new DocumentStream(
      (document) => {
        text += `${JSON.stringify(document)}\n`;
      },
      { units },
    );
    for (const tell of this.#told) tell(documents);
    return text;
  }
}
