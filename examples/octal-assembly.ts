// Assembling the eight sensors of an MPCCD octal, call by call as with ippy.
// Run: npx tsx node_modules/sacla/examples/octal-assembly.ts
import { mkdir, writeFile } from "node:fs/promises";
import ndarray from "ndarray";
import { connect } from "sacla";
import { type ReconstructionSource, reconstruction } from "sacla/ip";
import { renderImage } from "sacla/plot";

await using facility = await connect();
const { db, st } = facility;

const run = 220934;
const tags = await db.readTaglistByrun(2, run);
const tag = tags[0] ?? 0;
const srcs: ReconstructionSource[] = [];
let gain0 = NaN;
for (let i = 0; i < 8; i++) {
  const obj = new st.StorageReader(`MPCCD-8B0-2-008-${i + 1}`, 2, [run]);
  const buff = new st.StorageBuffer(obj);
  await obj.collect(buff, tag);
  const info = buff.readDetInfo(0);
  const {
    mp_pixelsize_x: psizeX = NaN,
    mp_pixelsize_y: psizeY = NaN,
    mp_pos_x: posX = NaN,
    mp_pos_y: posY = NaN,
  } = info;
  const { xsize = 0, ysize = 0, mp_rotationangle: rotAngle = NaN, mp_absgain: gain = NaN } = info;
  if (i === 0) gain0 = gain;
  srcs.push({
    img: buff.readDetData(0),
    xPosPixel: posX / psizeX,
    yPosPixel: -posY / psizeY, // the sign must be −1 × pos_y
    pixelSize: Math.round(psizeX),
    dScale: 1,
    rotAngle,
    mask: ndarray(new Int16Array(xsize * ysize).fill(1), [ysize, xsize]),
    succeeded: true,
    iScale: gain / gain0,
  });
}
const asmImg = reconstruction(srcs, 2399, 2399, 50, 0);

await mkdir("out", { recursive: true });
await writeFile(
  "out/octal.png",
  renderImage(asmImg, { range: [0, 400], title: `Run ${run}, tag ${tag}, seen from the source`, unit: "ADU" }),
);
console.log(`assembled to ${asmImg.shape.join(" × ")}: out/octal.png`);
