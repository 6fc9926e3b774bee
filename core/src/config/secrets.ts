/**
 * Keeps secrets out of answers: settings declared as `password` are shown as a mask, and a mask that comes back in a
 * write stands for the stored value, so that tools which read, change and write a config go on working.
 */
import type { Settings } from '@tidewire/sdk'
import { isSecretOverride } from './client-settings.ts'

/** What is shown in place of a secret. */
export const secretMask = '********'

// A setting that no declaration knows may still be a secret, mistyped.
const soundsSecret = /passw|secret|token|credential|api[._-]?key|private[._-]?key|jaas/i

/**
 * The config as it may be shown. Without the declaration (its plugin is gone or broken) nobody can say what is secret,
 * so all but the `open` names is masked.
 */
export function maskSecrets(
  config: Readonly<Record<string, string>>,
  settings: Settings | undefined,
  open: Settings,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, isSecret(name, settings, open) ? secretMask : value]),
  )
}

/** A config as it is to be stored: masks give way to the stored values. A mask with nothing stored stays. */
export function unmaskSecrets(
  config: Readonly<Record<string, string>>,
  stored: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [
      name,
      value === secretMask && stored !== undefined && Object.hasOwn(stored, name) ? stored[name]! : value,
    ]),
  )
}

/**
 * Takes the config's secrets out of texts that connectors and drivers make, which must not hold any and sometimes do. Those
 * of fewer than four characters are left: they would be found in any text.
 */
export function secretScrubber(
  config: Readonly<Record<string, string>>,
  settings: Settings | undefined,
  open: Settings,
): (text: string) => string {
  const secrets = Object.entries(config).flatMap(([name, value]) =>
    value.length >= 4 && isSecret(name, settings, open) ? [value] : [],
  )
  // The longest first: one may be part of another.
  secrets.sort((a, b) => b.length - a.length)
  return (text) => secrets.reduce((left, secret) => left.replaceAll(secret, secretMask), text)
}

function isSecret(name: string, settings: Settings | undefined, open: Settings): boolean {
  if (isSecretOverride(name)) return true
  if (settings !== undefined && Object.hasOwn(settings, name)) return settings[name]!.type === 'password'
  if (Object.hasOwn(open, name)) return open[name]!.type === 'password'
  return settings === undefined || soundsSecret.test(name)
}
