use crate::{
    cli::DemoArgs,
    complaint::Exit,
    shell::{Ended, Shell},
};
pub(crate) async fn demo(_shell: &Shell, _args: &DemoArgs) -> Ended {
    Ok(Exit::Done)
}
