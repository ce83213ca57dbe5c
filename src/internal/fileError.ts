/** Errors of a file system, in words and with the path. */
import * as Predicate from "effect/Predicate"
import { type PlatformError, systemError } from "effect/PlatformError"

/** What the codes of operating systems mean. */
const meanings: ReadonlyMap<unknown, string> = new Map([
  ["EACCES", "the permission for it is missing"],
  ["EDQUOT", "the quota of the disk is used up"],
  ["EEXIST", "something of that name is there already"],
  ["EFBIG", "the file is larger than the file system allows"],
  ["EIO", "the device failed to read or write"],
  ["EISDIR", "it is a folder"],
  ["EMFILE", "this process has too many files open"],
  ["ENAMETOOLONG", "the name is too long"],
  ["ENFILE", "the system has too many files open"],
  ["ENOENT", "there is no such file or folder"],
  ["ENOSPC", "no space is left on the device"],
  ["ENOTDIR", "a part of the path is no folder"],
  ["EPERM", "it is not permitted"],
  ["EROFS", "the file system is read-only"]
])

const codeOf = (error: PlatformError): unknown =>
  Predicate.hasProperty(error.reason.cause, "code") ? error.reason.cause.code : undefined

/** The same error with the path that it is about, where it names none, and with its code in words. */
export const withPath =
  (path: string) =>
  (error: PlatformError): PlatformError => {
    const { reason } = error
    if (reason._tag === "BadArgument") return error
    const pathOrDescriptor = typeof reason.pathOrDescriptor === "string" ? reason.pathOrDescriptor : path
    const { _tag, cause, method, module, syscall } = reason
    const description = meanings.get(codeOf(error)) ?? reason.description
    return systemError({ _tag, module, method, syscall, pathOrDescriptor, description, cause })
  }

/** What went wrong, in a sentence with the path. */
export const sentence = (error: PlatformError, path: string): string => {
  const { reason } = withPath(path)(error)
  if (reason._tag === "BadArgument" || reason.description === undefined) return error.message
  return `${reason.description} (\`${reason.pathOrDescriptor}\`)`
}
