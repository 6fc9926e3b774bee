import { readFile } from 'node:fs/promises'
import { parseProperties } from '../config/properties.ts'
import { messageOf } from '../logging/message-of.ts'
import { UserError } from './fatal.ts'

/**
 * Reads a settings file: `.json` (a flat object) or `.properties` (Kafka's `name=value` lines).
 * @throws UserError that names the file, and the line where there is one
 */
export async function readSettingsFile(path: string): Promise<Record<string, string>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new UserError(`config file ${path} cannot be read: ${reason}`)
  }
  if (!path.endsWith('.properties')) return parseJson(text, path)
  try {
    return parseProperties(text)
  } catch (error) {
    throw new UserError(`config file ${path}, ${messageOf(error)}`)
  }
}

function parseJson(text: string, path: string): Record<string, string> {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    throw new UserError(`config file ${path} is not JSON: ${messageOf(error)}`)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new UserError(`config file ${path} must hold one JSON object of setting names and values`)
  }
  const settings: Record<string, string> = {}
  for (const [name, value] of Object.entries(parsed)) {
    if (Array.isArray(value)) settings[name] = value.map(String).join(',')
    else if (['string', 'number', 'boolean'].includes(typeof value)) settings[name] = String(value)
    else throw new UserError(`config file ${path}: ${name} must be a string, a number or a boolean`)
  }
  return settings
}
