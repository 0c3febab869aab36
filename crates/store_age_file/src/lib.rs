//! One encrypted file a credential, for handing over to people
