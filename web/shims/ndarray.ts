/**
 * Arrays with a shape over typed arrays, as the package `ndarray` makes them for up to two dimensions and without
 * strides of their own. The package writes its classes as text and compiles it, which the page's security policy
 * forbids.
 */
type Values = ArrayLike<number> & { [index: number]: number };

class View<T extends Values> {
  readonly data: T;
  readonly shape: number[];
  readonly stride: number[];
  readonly offset: number;

  constructor(data: T, shape: number[], stride: number[], offset: number) {
    this.data = data;
    this.shape = shape;
    this.stride = stride;
    this.offset = offset;
  }

  get dtype(): string {
    return this.data.constructor.name.replace(/Array$/, "").toLowerCase();
  }

  get size(): number {
    return this.shape.reduce((product, length) => product * length, 1);
  }

  get dimension(): number {
    return this.shape.length;
  }

  index(...at: number[]): number {
    return at.reduce((sum, i, axis) => sum + i * (this.stride[axis] ?? 0), this.offset);
  }

  get(...at: number[]): number {
    return this.data[this.index(...at)] ?? Number.NaN;
  }

  set(...at: number[]): number {
    const value = at.pop() ?? Number.NaN;
    this.data[this.index(...at)] = value;
    return value;
  }
}

/** `data` as an array of this shape, row-major. */
export default function ndarray<T extends Values>(data: T, shape: number[] = [data.length]): View<T> {
  const stride = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, length) => product * length, 1));
  return new View(data, [...shape], stride, 0);
}
