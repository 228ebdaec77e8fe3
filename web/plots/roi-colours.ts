/** Colours of the rectangles, on the picture and in the table. */
export const roiColours = ["#ff9f43", "#54e0a0", "#ff6b9d", "#7fb3ff", "#ffe066", "#c792ea", "#5ec8d8", "#f08080"];
