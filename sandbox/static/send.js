// Sends the page's form: the browser is on its way back to the shop.
document.forms[0].submit();
