/** Failed: why the server refused, in its own sentence. */
import classes from './form.module.css'

export function Failed({ error }: { error: Error }) {
  return (
    <p role="alert" className={classes.failed}>
      {error.message}
    </p>
  )
}
