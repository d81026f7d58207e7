/** Something that does as the real one in all but what is given. */
export function allBut<T extends object>(real: T, other: Partial<T>): T {
  return new Proxy(real, {
    get: (target, key) => {
      if (Object.hasOwn(other, key)) return Reflect.get(other, key);
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
