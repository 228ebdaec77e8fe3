import type { MoveView } from "../../src/ec/control-view.ts";
import { valueText } from "../live/picture-view.tsx";

/** Where devices are and where they will be, with what stands against it. */
export function PlannedTable({ move }: { readonly move: MoveView }) {
  return (
    <table>
      <caption>now → will be</caption>
      <tbody>
        {move.table().map((row) => (
          <tr key={row.name}>
            <th scope="row">{row.name}</th>
            <td>{valueText(row.now)}</td>
            <td>→</td>
            <td>
              <strong>{valueText(row.willBe)}</strong> {row.unit}
            </td>
            <td>{row.seconds === null ? "" : `${row.seconds.toFixed(1)} s`}</td>
            <td className="bad">{row.problem}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
