/**
 * A uniform number in [0, 1) that depends on its three arguments alone, and changes entirely with each: the mixing
 * step of MurmurHash3. Needs no state, so that any reading can be made without those before it.
 */
export function hashed(seed: number, device: number, at: number): number {
  let hash = mix(Math.imul(seed, 0x9e3779b1) ^ mix(seed / 2 ** 32))
  hash = mix(hash ^ Math.imul(device + 1, 0x85ebca77))
  hash = mix(hash ^ Math.imul(at + 1, 0xc2b2ae3d) ^ mix(at / 2 ** 32))
  return (hash >>> 0) / 2 ** 32
}

function mix(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
