/** Failed: why the server refused, and what to do, in its own sentences. */
import classes from './form.module.css'
import { Remedy } from './Remedy'

export function Failed({ error }: { error: Error }) {
  return (
    <p role="alert" className={classes.failed}>
      {error.message} <Remedy error={error} />
    </p>
  )
}
